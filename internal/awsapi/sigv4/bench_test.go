package sigv4_test

import "testing"

// BenchmarkVerify verifies a SendVoiceMessage as boto3 signs it.
func BenchmarkVerify(b *testing.B) {
	for _, f := range fixtures(b, "boto3") {
		if f.Name != "send a message" && f.Name != "presigned" {
			continue
		}
		b.Run(f.Name, func(b *testing.B) {
			r, body := parse(b, f.Request)
			v := verifierAt(signedAt)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(r, "sms-voice", body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
