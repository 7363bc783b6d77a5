ARG IMAGE=alpine:3.20
FROM $IMAGE
LABEL maintainer="Somebody <docker-maint@example.com>"
ENV VERSION=1.27.0 PKG_RELEASE=2
RUN set -x \
    && addgroup -g 101 -S web \
    && adduser -S -D -H -u 101 -h /var/cache/web -s /sbin/nologin -G web -g web web \
    && apkArch="$(cat /etc/apk/arch)" \
    && case "$apkArch" in \
        x86_64|aarch64) echo binary ;; \
        *) set -x; echo source ;; \
    esac \
# forward logs
    && ln -sf /dev/stdout /var/log/web/access.log
COPY docker-entrypoint.sh /
COPY 10-listen.sh 20-envsubst.sh /docker-entrypoint.d/
ENTRYPOINT ["/docker-entrypoint.sh"]
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["web", "-g", "daemon off;"]
