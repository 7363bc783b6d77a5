FROM alpine
WORKDIR /w
RUN a
COPY b /c
