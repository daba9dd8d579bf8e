package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tidings/internal/configset"
	"tidings/internal/sink"
	"tidings/internal/sink/awssink"
	"tidings/internal/sink/webhook"
)

// BenchmarkEventsToNetwork measures events from Publish to the answer of a far end that
// takes everything at once: a webhook, and doubles of AWS services, in this very process,
// so that both sides share the processors.
func BenchmarkEventsToNetwork(b *testing.B) {
	for _, bench := range []struct {
		name       string
		place      func(*testing.B) place
		publishers int
		rate       int
	}{
		{"webhook/batch=1", func(b *testing.B) place { return newWebhook(b, 1) }, 1024, 0},
		{"webhook/batch=100", func(b *testing.B) place { return newWebhook(b, 100) }, 1024, 0},
		{"webhook/batch=1/rate=1000", func(b *testing.B) place { return newWebhook(b, 1) }, 64, 1_000},
		{"webhook/batch=100/rate=5000", func(b *testing.B) place { return newWebhook(b, 100) }, 64, 5_000},
		{"firehose", newFirehose, 1024, 0},
		{"firehose/rate=5000", newFirehose, 64, 5_000},
		{"sns", newTopic, 1024, 0},
		{"logs", newLogGroup, 1024, 0},
	} {
		b.Run(bench.name, func(b *testing.B) { benchmarkEvents(b, bench.place(b), bench.publishers, bench.rate) })
	}
}

func serveFar(b *testing.B, h http.HandlerFunc) string {
	b.Helper()
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s.URL
}

func newWebhook(b *testing.B, batch int) place {
	b.Helper()
	url := serveFar(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	d, err := webhook.New(webhook.Settings{
		URL: url + "/hook", Batch: batch, AllowPrivate: true,
		Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return place{d, configset.SNS, "arn:aws:sns:us-east-1:123456789012:bench"}
}

func newDouble(b *testing.B, h http.HandlerFunc) sink.Driver {
	b.Helper()
	d, err := awssink.New(awssink.Settings{Endpoint: serveFar(b, h), AccessKeyID: "AKIDBENCH", SecretAccessKey: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d
}

func newFirehose(b *testing.B) place {
	d := newDouble(b, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Records []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		var out bytes.Buffer
		out.WriteString(`{"FailedPutCount":0,"RequestResponses":[`)
		for i := range in.Records {
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(&out, `{"RecordId":"%d"}`, i)
		}
		out.WriteString("]}")
		_, _ = w.Write(out.Bytes())
	})
	return place{d, configset.KinesisFirehose, "arn:aws:firehose:us-east-1:123456789012:deliverystream/bench"}
}

func newTopic(b *testing.B) place {
	d := newDouble(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") == "Publish" {
			_, _ = io.WriteString(w, "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>")
			return
		}
		var out bytes.Buffer
		out.WriteString("<PublishBatchResponse><PublishBatchResult><Failed/><Successful>")
		for key, values := range r.Form {
			if strings.HasSuffix(key, ".Id") {
				fmt.Fprintf(&out, "<member><Id>%s</Id><MessageId>m</MessageId></member>", values[0])
			}
		}
		out.WriteString("</Successful></PublishBatchResult></PublishBatchResponse>")
		_, _ = w.Write(out.Bytes())
	})
	return place{d, configset.SNS, "arn:aws:sns:us-east-1:123456789012:bench"}
}

func newLogGroup(b *testing.B) place {
	d := newDouble(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, "{}")
	})
	return place{d, configset.CloudWatchLogs, "arn:aws:logs:us-east-1:123456789012:log-group:bench"}
}
