package awsapi_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"tidings/internal/awsapi"
)

func TestRawPathIsTheOneOnTheWire(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/":                     "/",
		"/a%2Fb%20c?d=/e":       "/a%2Fb%20c",
		"//a/../b/":             "//a/../b/",
		`/a"b|ü`:                `/a"b|ü`,
		"/a%2fb":                "/a%2fb",
		"http://x/a%2Fb?c":      "/a%2Fb",
		"https://x:443//a/b/./": "//a/b/./",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			t.Fatalf("ReadRequest(%s): %v", target, err)
		}
		if got := awsapi.RawPath(r); got != want {
			t.Errorf("RawPath(%s) = %s, want %s", target, got, want)
		}
	}
}
