# In the style of a database's official image: fixed ids, a data volume, initialisation scripts, links for old names.
FROM IMAGE
RUN set -eux; echo db:x:999: >> /etc/group; echo db:x:999:999::/var/lib/db:/bin/sh >> /etc/passwd; \
    mkdir -p /var/lib/db; chown -R db:db /var/lib/db; chmod 1777 /var/lib/db
ENV LANG=C.UTF-8 DB_MAJOR=16
RUN mkdir /docker-entrypoint-initdb.d
RUN set -eux; mkdir -p /usr/lib/db/$DB_MAJOR/bin /usr/share/db; \
    for tool in initdb dbd dump restore; do printf '#!/bin/sh\necho %s\n' "$tool" > /usr/lib/db/$DB_MAJOR/bin/$tool; done; \
    chmod +x /usr/lib/db/$DB_MAJOR/bin/*; echo "listen_addresses = '*'" > /usr/share/db/db.conf.sample
RUN mkdir -p /run/db && chown -R db:db /run/db && chmod 2777 /run/db
ENV PATH=$PATH:/usr/lib/db/$DB_MAJOR/bin DBDATA=/var/lib/db/data
RUN mkdir -p "$DBDATA" && chown -R db:db "$DBDATA" && chmod 1777 "$DBDATA"
VOLUME /var/lib/db/data
COPY --chmod=755 scripts/entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN ln -s usr/local/bin/docker-entrypoint.sh /
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["dbd"]
