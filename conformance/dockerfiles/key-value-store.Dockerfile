# In the style of a key-value store's image: sources are unpacked, built and thrown away in one step.
FROM IMAGE
RUN echo kv:x:1000: >> /etc/group && echo kv:x:999:1000::/:/bin/false >> /etc/passwd
ADD vendor.tar.gz /usr/src/
RUN set -eux; cp -a /usr/src/vendor /tmp/build; cd /tmp/build; mkdir -p /usr/local; cat lib/*.txt > /usr/local/kv; chmod 755 /usr/local/kv; \
    ln /usr/local/kv /usr/local/kv-cli; ln -s kv /usr/local/kv-sentinel; rm -r /tmp/build /usr/src/vendor
RUN mkdir /data && chown kv:kv /data
VOLUME /data
WORKDIR /data
COPY scripts/entrypoint.sh /usr/local/bin/
ENTRYPOINT ["entrypoint.sh"]
EXPOSE 6379
CMD ["kv-server"]
