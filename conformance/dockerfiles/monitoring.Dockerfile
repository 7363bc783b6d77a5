# In the style of a monitoring server on busybox: binaries copied in, links to consoles, nobody's user, a volume for its data.
ARG ARCH="amd64"
ARG OS="linux"
FROM IMAGE
LABEL maintainer="somebody <somebody at example.invalid>"
ARG ARCH
ARG OS
COPY src/main.txt /bin/monitor-${OS}-${ARCH}
COPY src/other.txt /bin/tool
COPY conf/main.conf /etc/monitor/monitor.yml
COPY static/ /usr/share/monitor/console_libraries/
RUN ln -s /usr/share/monitor/console_libraries /usr/share/monitor/consoles /etc/monitor/ 2>/dev/null || ln -s /usr/share/monitor/console_libraries /etc/monitor/
WORKDIR /monitor
RUN chown -R nobody:nogroup /etc/monitor /monitor && chmod g+w /monitor
USER nobody
EXPOSE 9090
VOLUME [ "/monitor" ]
ENTRYPOINT [ "/bin/monitor-linux-amd64" ]
CMD [ "--config.file=/etc/monitor/monitor.yml", "--storage.path=/monitor" ]
