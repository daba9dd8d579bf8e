package pinpoint

import (
	"fmt"
	"strings"
	"testing"

	"tidings/internal/pinpoint"
)

// eventsBody is a request of n events of one client, as mobile SDKs send them.
func eventsBody(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"BatchItem":{"6f1d3d5e-0000-4000-8000-0123456789ab":{"Endpoint":{"Address":"d8c1d2e3f4","ChannelType":"GCM","Demographic":{"AppVersion":"2.1","Locale":"en_US","Make":"Google","Model":"Pixel 8","Platform":"android","PlatformVersion":"14","Timezone":"America/Los_Angeles"},"Location":{"Country":"US","City":"Seattle"},"Attributes":{"tier":["gold"]},"User":{"UserId":"user-17"}},"Events":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"event-%03d":{"EventType":"purchase","Timestamp":"2026-11-21T10:30:00.%03dZ","AppPackageName":"com.example.shop","AppTitle":"Shop","AppVersionCode":"21","Attributes":{"item":"sku-1234567","currency":"USD","page":"checkout","campaign":"autumn"},"ClientSdkVersion":"1.6.2","Metrics":{"price":12.5,"quantity":2},"SdkName":"aws-amplify","Session":{"Id":"session-42","StartTimestamp":"2026-11-21T10:29:00.000Z"}}`, i, i)
	}
	b.WriteString(`}}}}`)
	return []byte(b.String())
}

// BenchmarkReadBatch reads requests of 1, 10 and 100 events.
func BenchmarkReadBatch(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body := eventsBody(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				in := putEventsInput{}
				if err := in.ReadBody(body); err != nil || len(in.Items[0].Events) != n {
					b.Fatalf("ReadBody = %v, %v, want %d events", in.Items, err, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}

// BenchmarkAppendBody writes replies of 1, 10 and 100 events.
func BenchmarkAppendBody(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := putEventsInput{}
			if err := in.ReadBody(eventsBody(n)); err != nil {
				b.Fatal(err)
			}
			one := pinpoint.ItemResult{Endpoint: pinpoint.Result{Status: 202, Message: "Accepted"}}
			for range n {
				one.Events = append(one.Events, one.Endpoint)
			}
			out := eventsResponse{items: in.Items, results: []pinpoint.ItemResult{one}}
			b.ReportAllocs()
			for b.Loop() {
				if len(out.AppendBody(nil)) == 0 {
					b.Fatal("no body")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
