# One static program, and nothing else but the certificates of those it calls.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /web ./cmd/web

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /web /web
ENTRYPOINT ["/web"]
