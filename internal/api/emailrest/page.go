package emailrest

import (
	"tidings/internal/awsapi"
	"tidings/internal/tenant"
)

// How many entries a page has at most, and has if the client does not say.
// Source: SES API v2 Reference, PageSize of each operation that lists.
const (
	longestPage      = 1_000
	longestTemplates = 100
)

// page is which part of a list a client wants.
type page struct {
	after string
	limit int
}

// page reads what a client wants of a list. A size of 0, which the references allow for most
// lists, is like none.
func (a *API) page(t tenant.Tenant, operation string, in *pageInput, most int) (p page, err error) {
	size := in.PageSize
	if size == "0" {
		size = ""
	}
	if p.limit, err = awsapi.PageSize("PageSize", size, most); err != nil {
		return p, err
	}
	p.after, err = a.config.Tokens.After(t, operation, in.NextToken)
	return p, err
}
