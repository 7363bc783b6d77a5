FROM golang:1 AS build
RUN go build -o /out/app
FROM node:20 AS assets
RUN npm run build
FROM alpine AS unused
RUN never
FROM alpine AS final
COPY --from=build /out/app /usr/bin/
COPY --from=1 /dist /srv
COPY --from=busybox:1.36 /bin/wget /usr/bin/
CMD ["app"]
