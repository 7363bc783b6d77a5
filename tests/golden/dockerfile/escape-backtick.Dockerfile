# escape=`
FROM alpine
ENV A=C:\dir\file B=`$A
RUN echo one `
 two \
COPY a `
     b /c/
