# In the style of a Java service: layers extracted from an archive so that what seldom changes comes first.
FROM IMAGE AS extract
WORKDIR /extracted
COPY vendor.tar.gz app.jar
RUN tar xzf app.jar && mkdir -p dependencies loader application && mv vendor/lib dependencies/ && mv vendor/* loader/ && rm -r vendor app.jar
FROM IMAGE
ARG USER_ID=10001
RUN echo spring:x:$USER_ID:$USER_ID::/:/bin/false >> /etc/passwd && mkdir -m 700 /tmp/work && chown spring /tmp/work
WORKDIR /application
COPY --from=extract /extracted/dependencies/ ./
COPY --from=extract /extracted/loader/ ./
COPY --from=extract /extracted/application/ ./
COPY src/main.txt BOOT/classes/
USER spring
ENV JAVA_OPTS="-Xmx64m -XX:+UseSerialGC"
ENTRYPOINT exec java $JAVA_OPTS Launcher
