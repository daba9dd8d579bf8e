package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/internal/awsapi"
)

const algorithm = "AWS4-HMAC-SHA256"

// maxExpires is how long a presigned request may be good for: seven days.
// Source: IAM User Guide, "Authentication methods", X-Amz-Expires.
const maxExpires = 604_800 * time.Second

// claim is what a request says about its signature. Nothing of it is true yet.
type claim struct {
	key       string // access key ID
	date      string // the scope's, as given
	region    string
	service   string
	headers   []string // names of the signed headers, lower case, sorted
	signature string   // 64 lower-case hexadecimal digits
	time      time.Time
	token     string // session token, "" = none
	presigned bool
	expires   time.Duration // of a presigned request
	query     string        // the query that was signed, without what the signer adds itself
}

// read finds the signature in the Authorization header or in the query.
func read(r *http.Request) (claim, *awsapi.RefusedError) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return claim{}, &awsapi.RefusedError{Reason: awsapi.BadRequest, Msg: "The query of the URL is not properly encoded.", Err: err}
	}
	headers := r.Header["Authorization"]
	presigned := isPresigned(query)
	switch {
	case len(headers) == 0 && !presigned:
		return claim{}, refuse(awsapi.NotSigned, "Missing Authentication Token: sign the request with AWS Signature Version 4.")
	case len(headers) > 0 && presigned:
		return claim{}, refuse(awsapi.IncompleteSignature, "The request has a signature in its Authorization header and another in its query: send one of them.")
	case len(headers) > 1:
		return claim{}, refuse(awsapi.IncompleteSignature, "The request has %d Authorization headers: send one.", len(headers))
	case presigned:
		return readQuery(r, query)
	}
	return readHeader(r, headers[0])
}

func isPresigned(query url.Values) bool {
	return query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Credential") || query.Has("X-Amz-Signature")
}

// readHeader reads a signature from the Authorization header.
func readHeader(r *http.Request, header string) (c claim, err *awsapi.RefusedError) {
	given, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if given != algorithm {
		return c, refuse(awsapi.IncompleteSignature, "The Authorization header begins with %s, not with %s, the only signing algorithm of this server.", quote(given), algorithm)
	}
	parts, err := split(rest)
	if err != nil {
		return c, err
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if parts[name] == "" {
			return c, refuse(awsapi.IncompleteSignature, "The Authorization header lacks the %q parameter.", name)
		}
	}
	if err := c.fill(parts["Credential"], parts["SignedHeaders"], parts["Signature"]); err != nil {
		return c, err
	}
	dates := r.Header["X-Amz-Date"]
	if len(dates) != 1 || !slices.Contains(c.headers, "x-amz-date") {
		return c, refuse(awsapi.IncompleteSignature, "The request must have one X-Amz-Date header, and it must be among the signed headers.")
	}
	if c.time, err = parseTime(dates[0]); err != nil {
		return c, err
	}
	c.query = r.URL.RawQuery
	return c, c.takeToken(r.Header["X-Amz-Security-Token"])
}

// split reads the parameters of an Authorization header.
func split(s string) (map[string]string, *awsapi.RefusedError) {
	parts := make(map[string]string, 3)
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name != "Credential" && name != "SignedHeaders" && name != "Signature" {
			return nil, refuse(awsapi.IncompleteSignature, "The Authorization header must have the form %s Credential=..., SignedHeaders=..., Signature=....", algorithm)
		}
		if _, twice := parts[name]; twice {
			return nil, refuse(awsapi.IncompleteSignature, "The Authorization header has the %q parameter twice.", name)
		}
		parts[name] = value
	}
	return parts, nil
}

// readQuery reads a signature from the query of a presigned request.
func readQuery(r *http.Request, query url.Values) (c claim, err *awsapi.RefusedError) {
	c.presigned = true
	for name, values := range query {
		if len(values) > 1 && strings.HasPrefix(name, "X-Amz-") {
			return c, refuse(awsapi.IncompleteSignature, "The query has the parameter %s twice.", quote(name))
		}
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if query.Get(name) == "" {
			return c, refuse(awsapi.IncompleteSignature, "The query lacks the parameter %q.", name)
		}
	}
	if given := query.Get("X-Amz-Algorithm"); given != algorithm {
		return c, refuse(awsapi.IncompleteSignature, "X-Amz-Algorithm is %s, not %s, the only signing algorithm of this server.", quote(given), algorithm)
	}
	if err := c.fill(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")); err != nil {
		return c, err
	}
	if c.time, err = parseTime(query.Get("X-Amz-Date")); err != nil {
		return c, err
	}
	seconds, failed := strconv.Atoi(query.Get("X-Amz-Expires"))
	c.expires = time.Duration(min(max(seconds, 0), 1_000_000)) * time.Second // no overflow
	if failed != nil || c.expires < time.Second || c.expires > maxExpires {
		return c, refuse(awsapi.IncompleteSignature, "X-Amz-Expires must be a number of seconds from 1 to %.0f.", maxExpires.Seconds())
	}
	tokens := r.Header["X-Amz-Security-Token"]
	if query.Has("X-Amz-Security-Token") {
		tokens = append(slices.Clone(tokens), query.Get("X-Amz-Security-Token"))
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		query.Del(name)
	}
	c.query = query.Encode()
	return c, c.takeToken(tokens)
}

// fill reads the three parts that both forms of a signature have.
func (c *claim) fill(credential, headers, signature string) *awsapi.RefusedError {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[0] == "" || scope[4] != "aws4_request" {
		return refuse(awsapi.IncompleteSignature, "The credential must have the form ACCESS-KEY-ID/YYYYMMDD/REGION/SERVICE/aws4_request.")
	}
	c.key, c.date, c.region, c.service = scope[0], scope[1], scope[2], scope[3]
	c.headers = strings.Split(headers, ";")
	for i, name := range c.headers {
		if name == "" || name != strings.ToLower(name) || i > 0 && name <= c.headers[i-1] {
			return refuse(awsapi.IncompleteSignature, "The list of signed headers must be in lower case, in order, and separated by semicolons.")
		}
	}
	if !slices.Contains(c.headers, "host") {
		return refuse(awsapi.IncompleteSignature, "The Host header must be among the signed headers.")
	}
	if len(signature) != 64 || strings.Trim(signature, "0123456789abcdef") != "" {
		return refuse(awsapi.IncompleteSignature, "The signature must be 64 hexadecimal digits in lower case.")
	}
	c.signature = signature
	return nil
}

func (c *claim) takeToken(tokens []string) *awsapi.RefusedError {
	if len(tokens) > 1 {
		return refuse(awsapi.IncompleteSignature, "The request has %d security tokens: send one.", len(tokens))
	}
	if len(tokens) == 1 {
		c.token = tokens[0]
	}
	return nil
}

func parseTime(s string) (time.Time, *awsapi.RefusedError) {
	t, err := time.Parse(timeFormat, s)
	if err != nil || t.Format(timeFormat) != s { // the parser takes fractions of a second, too
		return time.Time{}, refuse(awsapi.IncompleteSignature, "X-Amz-Date must have the form YYYYMMDD'T'HHMMSS'Z', not %s.", quote(s))
	}
	return t, nil
}
