# syntax=somebody/else:1
FROM alpine
