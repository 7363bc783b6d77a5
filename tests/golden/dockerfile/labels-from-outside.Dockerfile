FROM alpine
LABEL a=file b=file
