# The images that `make images` makes, for those who build with an engine:
#
#   docker build --build-arg VERSION=1.2.3 -t faas-lambda .
#   docker build --target fwatchdog -t fwatchdog .
#
# The programs are the same bytes; times of files and the form of the layers are
# the engine's. Go compiles for the processor of --platform on that of the machine.
ARG GO=docker.io/library/golang:1.26
FROM --platform=$BUILDPLATFORM ${GO} AS build
# The engine sets it; a default written here would be taken instead.
ARG TARGETARCH
ARG VERSION=dev
ARG SHA=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make VERSION=${VERSION} SHA=${SHA} CREATED=0 \
      bin/images/programs/linux-${TARGETARCH}/faas-lambda bin/images/programs/linux-${TARGETARCH}/fwatchdog \
 && mkdir /out && mv bin/images/programs/linux-${TARGETARCH}/* /out/ \
 && CGO_ENABLED=0 go run ./images -root /out/root

FROM scratch AS fwatchdog
ARG VERSION=dev
ARG SHA=
LABEL org.opencontainers.image.title="fwatchdog" org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${SHA}" \
      org.opencontainers.image.licenses="MIT" org.opencontainers.image.source="https://github.com/faas-lambda/faas-lambda"
COPY --from=build /out/fwatchdog /fwatchdog
ENTRYPOINT ["/fwatchdog"]

FROM scratch
ARG VERSION=dev
ARG SHA=
LABEL org.opencontainers.image.title="faas-lambda" org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${SHA}" \
      org.opencontainers.image.licenses="MIT" org.opencontainers.image.source="https://github.com/faas-lambda/faas-lambda"
COPY --from=build /out/root/ /
COPY --from=build --chown=65532:65532 /out/root/home/nonroot/ /home/nonroot/
COPY --from=build /out/faas-lambda /faas-lambda
ENV PATH=/ HOME=/home/nonroot
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/faas-lambda"]
CMD ["serve"]
