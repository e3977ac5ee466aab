# One image for every role, for NATS and for the balancer; docker-compose.yml says which container is what.
# A base image that brings the Debian programs and the npm packages itself (test/lab/base-image) needs no network here.
ARG BASE_IMAGE=node:24-bookworm-slim
FROM ${BASE_IMAGE}

RUN { command -v haproxy && command -v nats-server; } >/dev/null || { \
      apt-get update && \
      apt-get install -y --no-install-recommends haproxy nats-server && \
      rm -rf /var/lib/apt/lists/*; \
    }

WORKDIR /keelson
COPY package.json package-lock.json .npmrc ./
RUN cmp -s package-lock.json node_modules/.keelson-lock || { \
      npm ci --omit=dev --omit=optional && \
      rm -rf node_modules/@aws-cdk /root/.npm; \
    }
COPY . .

# New volumes take their owner from the folders that they are mounted on.
RUN mkdir -p .cache/compile /data /identity /pki/identities && cd /pki/identities && \
    mkdir admin nats store api-server scheduler controller-manager node-node-1 node-node-2 node-node-3 && \
    chown -R 1000:1000 /keelson/.cache /data /identity /pki

USER 1000:1000
# The file system is read-only at run time, so the compile cache is filled now, by the same user and flag.
RUN node --disallow-code-generation-from-strings -e 'require("node:module").enableCompileCache(".cache/compile"); \
    for (const file of process.argv.slice(1)) import(file);' \
    $(ls -d /keelson/cli/run*.ts /keelson/cli/pki.ts /keelson/services/*/main.ts /keelson/node-agent/main.ts)
ENTRYPOINT ["node", "--disallow-code-generation-from-strings", "/keelson/bin/keelson"]
