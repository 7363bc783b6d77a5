FROM klakegg/hugo:ext-alpine AS hugo
ONBUILD ARG HUGO_ENV=production
COPY . /src
RUN hugo --minify
FROM nginx:alpine
COPY --from=hugo /src/public /usr/share/nginx/html
