FROM alpine
WORKDIR /w
COPY a /b
COPY <<x /y
z
x
RUN true
ENV A=1
