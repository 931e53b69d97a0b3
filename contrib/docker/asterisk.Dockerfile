# Asterisk 22 with the configuration that Outdial's tests use. Debian 12 and 13 have no Asterisk: forky has.
# Built from the root of the repository: docker build -f contrib/docker/asterisk.Dockerfile -t outdial-asterisk .
FROM debian:forky-slim
# The user is made before the package would make it, so that its number is known (see Dockerfile).
RUN groupadd --gid 10002 asterisk && \
    useradd --uid 10002 --gid 10002 --home-dir /var/lib/asterisk --no-create-home --shell /usr/sbin/nologin asterisk && \
    apt-get update && \
    apt-get install -y --no-install-recommends asterisk asterisk-moh-opsound-gsm ca-certificates && \
    rm -rf /var/lib/apt/lists/* /etc/asterisk/* && \
    install -d -o 10002 -g 10002 -m 0750 /run/asterisk && \
    install -d -o 10001 -g 10002 -m 2750 /var/lib/outdial/messages && \
    install -d -o 10002 -g 10002 -m 0750 /var/spool/asterisk/recording
COPY contrib/asterisk/*.conf /etc/asterisk/
# Machines of other kinds keep modules elsewhere; notices go to the container's log; Asterisk complains about files that are
# not there, and takes its defaults either way.
RUN sed -i "s#^astmoddir .*#astmoddir => $(echo /usr/lib/*/asterisk/modules)#" /etc/asterisk/asterisk.conf && \
    echo 'console => notice,warning,error' >>/etc/asterisk/logger.conf && \
    for file in acl ccss features manager pjproject udptl websocket_client; do : >/etc/asterisk/$file.conf; done
USER asterisk
WORKDIR /var/lib/asterisk
STOPSIGNAL SIGTERM
CMD ["/usr/sbin/asterisk", "-f", "-n"]
