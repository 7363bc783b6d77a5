FROM debian:bookworm-slim
RUN groupadd -r db --gid=999 && useradd -r -g db --uid=999 --home-dir=/var/lib/db --shell=/bin/bash db
ENV GOSU_VERSION 1.17
ENV LANG en_US.utf8
RUN mkdir /docker-entrypoint-initdb.d
ENV PG_MAJOR 16
ENV PATH $PATH:/usr/lib/db/$PG_MAJOR/bin
ENV PGDATA /var/lib/db/data
RUN mkdir -p "$PGDATA" && chown -R db:db "$PGDATA" && chmod 1777 "$PGDATA"
VOLUME /var/lib/db/data
COPY docker-entrypoint.sh docker-ensure-initdb.sh /usr/local/bin/
RUN ln -sT docker-ensure-initdb.sh /usr/local/bin/docker-enforce-initdb.sh
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["db"]
