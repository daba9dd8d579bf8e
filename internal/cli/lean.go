package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// leanClient sends one signed request again and again over one connection. It costs next to nothing, so that a benchmark shows what
// the server alone can do. A signature is good for 15 minutes, which no round lasts.
type leanClient struct {
	conn    net.Conn
	in      *textproto.Reader
	request []byte
}

// lean makes a client that repeats a request.
func (c *apiClient) lean(ctx context.Context, path, contentType string, body []byte) (*leanClient, error) {
	u, err := url.Parse(c.url)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, http.MethodPost, path, contentType, body)
	if err != nil {
		return nil, err
	}
	request, err := httputil.DumpRequestOut(req, true)
	if err != nil {
		return nil, err
	}
	// That asks for compressed answers, and then Go's client would have to unpack them.
	request = bytes.Replace(request, []byte("Accept-Encoding: gzip\r\n"), nil, 1)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return &leanClient{conn: conn, in: textproto.NewReader(bufio.NewReader(conn)), request: request}, nil
}

// send sends the request once, and fails unless it succeeds.
func (c *leanClient) send() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.in.ReadLineBytes()
	if err != nil {
		return err
	}
	status = bytes.Clone(status) // the next line takes its place
	length := 0
	for {
		line, err := c.in.ReadLineBytes()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	if bytes.Contains(status, []byte(" 200 ")) {
		_, err = c.in.R.Discard(length)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(c.in.R, int64(length)))
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %s", status, text)
}
