# In the style of a content management system: an archive fetched and verified, sources kept apart, extensions switched on and off again.
FROM IMAGE
SHELL ["/bin/sh", "-eux", "-c"]
RUN mkdir -p /etc/php/conf.d /var/www/html; chown -R www-data:www-data /var/www; chmod 1777 /var/www/html
RUN { echo 'opcache.memory_consumption=128'; echo 'opcache.max_accelerated_files=4000'; } > /etc/php/conf.d/opcache.ini
RUN touch /etc/php/conf.d/build-only.ini /etc/php/conf.d/kept.ini; mkdir -p /usr/src/old/deep; touch /usr/src/old/deep/file
ADD --chown=www-data:www-data vendor.tar.gz /usr/src/site/
RUN rm /etc/php/conf.d/build-only.ini; rm -r /usr/src/old; mkdir /usr/src/old; touch /usr/src/old/new; mv /usr/src/site/vendor/lib /usr/src/site/lib; \
    for dir in plugins themes; do mkdir -p "/usr/src/site/content/$dir"; done; chown -R www-data:www-data /usr/src/site/content; chmod -R 1777 /usr/src/site/content
VOLUME /var/www/html
WORKDIR /var/www/html
COPY --chown=www-data:www-data conf/extra.conf /usr/src/site/site-config.php
COPY --chmod=555 scripts/entrypoint.sh /usr/local/bin/
ENTRYPOINT ["entrypoint.sh"]
CMD ["server-foreground"]
