FROM alpine AS a
RUN a
FROM alpine AS b
RUN b
FROM scratch
COPY --from=a / /a
COPY --from=b / /b
