FROM app/base
ENV PATH=/app/bin:$PATH EXTRA=${GREETING}!
WORKDIR sub
RUN env
CMD ["serve"]
