FROM alpine AS base
ARG X=1
ENV E=$X
WORKDIR /base
USER app
FROM base
RUN echo $X $E
COPY . .
