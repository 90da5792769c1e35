# The agent, from its package. Build from the root of the repository:
#   docker build -f docker/agent.Dockerfile -t espalier-agent .
FROM node:20-bookworm AS build
WORKDIR /src
COPY . .
RUN npm ci && npm run package -w apps/agent && mv dist/espalier-agent-*/ /package

FROM node:20-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /package /opt/espalier-agent
RUN mkdir /state && chown node:node /state \
  && ln -s /opt/espalier-agent/bin/espalier-agent /usr/local/bin/
USER node
VOLUME /state
ENTRYPOINT ["espalier-agent", "--state-dir", "/state"]
