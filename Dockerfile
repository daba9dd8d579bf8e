# syntax=docker/dockerfile:1

# docker build --build-arg VERSION="$(git describe --tags --always)" -t tidings .
# docker build --target espeak -t tidings:espeak .       # with a voice; see docs/deployment.md

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd ./cmd
COPY internal ./internal
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/tidings ./cmd/tidings
# The directories of an image from scratch, to be copied with their owner.
RUN mkdir -p /out/data /out/tmp && chmod 0750 /out/data && chmod 1777 /out/tmp

# The server and a speech engine.
FROM debian:bookworm-slim AS espeak
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates espeak-ng \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /out/tidings /tidings
COPY --from=build --chown=65532:65532 /out/data /data
ENV TIDINGS_CONFIG=/etc/tidings/tidings.yaml TIDINGS_DATA=/data TIDINGS_LISTEN=0.0.0.0:4570 TIDINGS_ADMIN=0.0.0.0:4571
USER 65532:65532
VOLUME /data
EXPOSE 4570 4571
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/tidings", "status"]
ENTRYPOINT ["/tidings"]
CMD ["serve"]

# The server and nothing else: texts are not spoken, their length is estimated.
FROM scratch AS tidings
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tidings /tidings
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/tmp /tmp
ENV TIDINGS_CONFIG=/etc/tidings/tidings.yaml TIDINGS_DATA=/data TIDINGS_LISTEN=0.0.0.0:4570 TIDINGS_ADMIN=0.0.0.0:4571
USER 65532:65532
VOLUME /data
EXPOSE 4570 4571
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/tidings", "status"]
ENTRYPOINT ["/tidings"]
CMD ["serve"]
