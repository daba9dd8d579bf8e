package awsapi

import (
	"net/http"
	"strings"
)

// RawPath returns the path of the request as it came over the wire, still percent-encoded.
// Routes and signatures both look at it: an encoded slash in a name stays a part of the
// name, and nothing is cleaned or redirected.
func RawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	return r.URL.EscapedPath() // the absolute form of a request's target, RFC 9112 3.2.2
}
