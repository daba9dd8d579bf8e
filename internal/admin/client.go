package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client talks to the admin listener of a running server.
type Client struct {
	URL   string // "http://127.0.0.1:4571"
	Token string // bearer token; "" = none
	HTTP  *http.Client
}

// Ready returns the state of each part of the server.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var out Readiness
	err := c.call(ctx, http.MethodGet, "/readyz", nil, &out)
	return out, err
}

// Tail calls each for every event of the log since a duration ago or a time ("" = from now
// on), until each fails, ctx ends, or, without follow, the log does.
func (c *Client) Tail(ctx context.Context, since string, follow bool, each func(Entry) error) error {
	q := url.Values{"follow": {strconv.FormatBool(follow)}}
	if since != "" {
		q.Set("since", since)
	}
	resp, err := c.do(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for in := json.NewDecoder(resp.Body); ; {
		var e Entry
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

// DeadLetters lists up to limit dead letters behind the one with the ID after.
func (c *Client) DeadLetters(ctx context.Context, after string, limit int) ([]Letter, error) {
	var out struct {
		DeadLetters []Letter `json:"deadLetters"`
	}
	q := url.Values{"after": {after}, "limit": {strconv.Itoa(limit)}}
	err := c.call(ctx, http.MethodGet, "/v1/deadletters?"+q.Encode(), nil, &out)
	return out.DeadLetters, err
}

// Retry sends dead letters again.
func (c *Client) Retry(ctx context.Context, ids ...string) error {
	return c.call(ctx, http.MethodPost, "/v1/deadletters/retry", map[string][]string{"ids": ids}, &struct{}{})
}

// Forget deletes dead letters.
func (c *Client) Forget(ctx context.Context, ids ...string) error {
	return c.call(ctx, http.MethodPost, "/v1/deadletters/delete", map[string][]string{"ids": ids}, &struct{}{})
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// do sends a request; an answer that is no success becomes an error with its message,
// except that /readyz speaks through its body whatever the status.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("is the server running? %w", err)
	}
	if resp.StatusCode >= 400 && path != "/readyz" {
		defer func() { _ = resp.Body.Close() }()
		var why refusal
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&why); err != nil || why.Message == "" {
			return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return nil, errors.New(why.Message)
	}
	return resp, nil
}
