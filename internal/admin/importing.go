package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"tidings/internal/awscli"
	"tidings/internal/fault"
)

// Import asks for apps, event streams and configuration sets to be made as they are in the
// batch.
type Import struct {
	Batch   awscli.Batch `json:"batch"`
	DryRun  bool         `json:"dryRun,omitempty"`  // change nothing, and say what would be
	Replace bool         `json:"replace,omitempty"` // change what exists and differs; without it that is left alone
}

// ImportResult is what an import has done with one thing.
type ImportResult string

// The results.
const (
	ImportCreated     ImportResult = "created"
	ImportWouldCreate ImportResult = "would create" // in a dry run
	ImportUnchanged   ImportResult = "unchanged"    // it exists and is the same
	ImportChanged     ImportResult = "changed"      // it existed and was different
	ImportWouldChange ImportResult = "would change" // it exists and is different: in a dry run, or without Replace
	ImportRefused     ImportResult = "refused"
)

// The kinds of things.
const (
	KindApp         = "app"
	KindStream      = "event stream"
	KindSet         = "configuration set"
	KindDestination = "event destination"
)

// ImportedItem is one thing of an import. Event streams have the ID of their app for a
// name, event destinations their set's name, a slash and their own.
type ImportedItem struct {
	awscli.Owner

	Kind    string              `json:"kind"`
	Name    string              `json:"name"`
	Result  ImportResult        `json:"result"`
	Changes []awscli.Difference `json:"changes,omitempty"` // if it was, or would be, changed
	Reason  string              `json:"reason,omitempty"`  // why it was refused
}

// Imported is what became of an import.
type Imported struct {
	Items    []ImportedItem `json:"items"`
	Warnings []string       `json:"warnings,omitempty"`
}

// Count returns how many things have a result.
func (i *Imported) Count(of ImportResult) int {
	n := 0
	for _, item := range i.Items {
		if item.Result == of {
			n++
		}
	}
	return n
}

// Migrator takes things in from elsewhere, and hands them out to be taken elsewhere.
type Migrator interface {
	// Import makes what the batch has. What is refused is in the result; after an error,
	// what is in the result was done nevertheless, and importing again is harmless.
	Import(ctx context.Context, in Import) (Imported, error)
	// Export returns what the owner has. Without account or region it is the only one who
	// has something; if there are several, that is fault.Invalid.
	Export(ctx context.Context, service awscli.Service, owner awscli.Owner) (awscli.Batch, error)
}

// maxImportBody bounds the body of an import: twice what 10,000 full configuration sets
// take.
const maxImportBody = 128 << 20

func (s *Server) importing(w http.ResponseWriter, r *http.Request) {
	var in Import
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxImportBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "Send a JSON object: "+err.Error())
		return
	}
	done, err := s.Migrator.Import(r.Context(), in)
	if !in.DryRun {
		s.Log.Info("an import is done", "service", in.Batch.Service, "replace", in.Replace, "created", done.Count(ImportCreated),
			"changed", done.Count(ImportChanged), "unchanged", done.Count(ImportUnchanged), "different", done.Count(ImportWouldChange),
			"refused", done.Count(ImportRefused), "complete", err == nil)
	}
	if err != nil {
		s.reject(w, fmt.Sprintf("import, after %d of its things", len(done.Items)), err)
		return
	}
	done.Items = append([]ImportedItem{}, done.Items...) // [] and not null when empty
	reply(w, http.StatusOK, done)
}

func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	owner := awscli.Owner{Account: q.Get("account"), Region: q.Get("region")}
	b, err := s.Migrator.Export(r.Context(), awscli.Service(q.Get("service")), owner)
	if err != nil {
		s.reject(w, "export", err)
		return
	}
	reply(w, http.StatusOK, b)
}

// reject answers with a fault of who asked, or of the server.
func (s *Server) reject(w http.ResponseWriter, what string, err error) {
	if fault.Is(err, fault.Invalid) {
		refuse(w, http.StatusBadRequest, fault.From(err).Msg)
		return
	}
	s.fail(w, what, err)
}

// Import makes what the batch has.
func (c *Client) Import(ctx context.Context, in Import) (Imported, error) {
	var out Imported
	err := c.call(ctx, http.MethodPost, "/v1/import", in, &out)
	return out, err
}

// Export returns what the owner has.
func (c *Client) Export(ctx context.Context, service awscli.Service, owner awscli.Owner) (awscli.Batch, error) {
	var out awscli.Batch
	q := url.Values{"service": {string(service)}, "account": {owner.Account}, "region": {owner.Region}}
	err := c.call(ctx, http.MethodGet, "/v1/export?"+q.Encode(), nil, &out)
	return out, err
}
