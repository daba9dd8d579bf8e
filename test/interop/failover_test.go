package interop

import (
	"testing"
	"time"

	"tidings/internal/sipcall"
)

// TestAnotherTrunkIsTriedWhileNobodyCanHaveRung has two trunks for the same number.
func TestAnotherTrunkIsTriedWhileNobodyCanHaveRung(t *testing.T) {
	t.Parallel()
	const refused503 = "503 Service Unavailable"
	for name, c := range map[string]struct {
		first []string
		want  string
		next  bool // the second one is called
	}{
		"out of order":          {[]string{refused(refused503)}, "RAC", true},
		"out of order at work":  {[]string{reply("100 Trying") + refused("500 Server Internal Error")}, "RAC", true},
		"timed out":             {[]string{refused("408 Request Timeout")}, "RAC", true},
		"silent":                {[]string{pause(time.Second)}, "RAC", true},
		"out of order, rang":    {[]string{rings + refused(refused503)}, "RF", false},
		"out of order, spoke":   {[]string{reply("183 Session Progress") + refused(refused503)}, "RF", false},
		"busy":                  {[]string{refused("486 Busy Here")}, "B", false},
		"out of order, is busy": {[]string{refused(refused503, "Reason: Q.850;cause=17")}, "B", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := trunk("+1206", freePort(t)), trunk("+1206", freePort(t))
			first.Name, second.Name, second.Priority = "first", "second", 1
			d := dialer(t, sipcall.Options{FirstAnswer: 3 * time.Second, CancelTimeout: time.Second}, first, second)
			bad := sippAt(t, first, append([]string{invited}, c.first...)...)
			e := newEar(t)
			speech, pcm := message(t, 300*time.Millisecond)
			var good *process
			if c.next {
				good = sippAt(t, second, invited, rings, answered(sdp(e.port(), "0")))
			}
			h := call(t, d, "+12065550100", speech)
			h.want(t, c.want)
			if err := bad.wait(t); err != nil {
				t.Errorf("the first sipp ended with %v", err)
			}
			if good != nil {
				if err := good.wait(t); err != nil {
					t.Errorf("the second sipp ended with %v", err)
				}
				got, _, _ := e.heard()
				sounds(t, got, pcm)
			}
		})
	}
}
