ARG PHP_EXTS="bcmath ctype"
ARG PHP_PECL_EXTS="redis"
FROM composer:2 AS composer_base
ARG PHP_EXTS
ARG PHP_PECL_EXTS
RUN mkdir -p /opt/app /opt/app/bin
WORKDIR /opt/app
RUN addgroup -S composer && adduser -S composer -G composer && chown -R composer /opt/app
USER composer
COPY --chown=composer composer.json composer.lock ./
RUN composer install --no-dev --no-scripts
COPY --chown=composer . .
FROM php:8-fpm-alpine AS fpm_server
ARG PHP_EXTS
WORKDIR /opt/app
USER www-data
COPY --from=composer_base --chown=www-data /opt/app /opt/app
FROM nginx:1-alpine AS web_server
WORKDIR /opt/app
COPY docker/nginx.conf.template /etc/nginx/templates/default.conf.template
COPY --from=fpm_server /opt/app/public /opt/app/public
