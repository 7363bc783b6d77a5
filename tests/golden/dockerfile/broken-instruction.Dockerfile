FROM alpine
RUN true
COYP a b
