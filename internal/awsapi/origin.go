package awsapi

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"tidings/internal/account"
)

// Origin is where a request came from, as far as the connection tells.
type Origin struct {
	IP  string // of the client, or of the proxy before this server; "" = not known
	TLS string // version of TLS, "TLSv1.3"; "" = none
	Key string // ID of the access key that signed the request; "" = none did
}

type originKey struct{}

// withOrigin returns a context that carries where the request came from.
func withOrigin(ctx context.Context, r *http.Request) context.Context {
	var o Origin
	o.IP, _, _ = net.SplitHostPort(r.RemoteAddr)
	if r.TLS != nil {
		o.TLS = tlsVersions[r.TLS.Version]
	}
	return context.WithValue(ctx, originKey{}, o)
}

// tlsVersions are the versions in the spelling of SES's event records.
var tlsVersions = map[uint16]string{tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}

// OriginOf returns where the request came from that ctx belongs to.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	if p, ok := account.FromContext(ctx); ok {
		o.Key = p.Key.ID
	}
	return o
}
