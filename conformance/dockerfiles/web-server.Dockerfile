# In the style of a web server's official image: a user of its own, packages, logs to the standard streams.
FROM IMAGE
ARG SERVER_VERSION=1.27.0
ENV SERVER_VERSION=${SERVER_VERSION} PKG_RELEASE=1
RUN set -x \
    && echo web:x:101: >> /etc/group \
    && echo web:x:101:101::/var/cache/web:/bin/false >> /etc/passwd \
    && mkdir -p /var/cache/web /var/log/web /etc/web/conf.d /docker-entrypoint.d \
    && printf '#!/bin/sh\nexec httpd -f -p 8080 -h /usr/share/web/html "$@"\n' > /usr/sbin/webd \
    && chmod 755 /usr/sbin/webd \
    && ln -sf /dev/stdout /var/log/web/access.log \
    && ln -sf /dev/stderr /var/log/web/error.log \
    && rm -rf /tmp/*
COPY scripts/entrypoint.sh /
COPY conf/*.conf /etc/web/conf.d/
COPY static /usr/share/web/html
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/entrypoint.sh"]
CMD ["webd"]
