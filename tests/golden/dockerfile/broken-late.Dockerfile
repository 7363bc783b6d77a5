FROM alpine
RUN true
ENV A="${B:?is needed}"
