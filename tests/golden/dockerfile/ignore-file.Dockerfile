# check=experimental=all
FROM alpine
COPY ok node_modules/x dir/.env /
ADD secret /
