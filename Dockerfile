# The same two commands as on any machine: npm ci, npm start.
#
#   docker build -t longhaul .
#   docker run --rm --init -p 127.0.0.1:8080:8080 -v longhaul:/data longhaul
#
# Docker's default profile does not let bubblewrap make namespaces: commands of models then run in the virtual shell. Whoever wants the
# real sandbox gives the container what that takes: --security-opt seccomp=unconfined --security-opt systempaths=unconfined.
#
#   docker exec -it <container> npx longhaul ask analyst "…" --out /tmp/answers
#
# (Built with buildah, chroot isolation, from a base of Debian 12's packages and Node 24 under the base's name; the image then starts as its
# user, answers /healthz and a question. Docker itself and the published base have not been tried yet.)
FROM node:24-bookworm-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/longhaul
COPY . .
RUN npm ci --no-audit --no-fund \
 && npm cache clean --force \
 && mkdir /data \
 && chown node:node /data

# Inside, all interfaces: what is published decides who gets in. Others than this machine need TLS in front.
ENV LONGHAUL_HTTP_HOST=0.0.0.0 \
    LONGHAUL_DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# What `npm start` runs, without npm in between, which would keep signals to itself.
CMD ["node", "--conditions=longhaul-source", "packages/server/src/main.ts"]
