package email

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
)

func TestSuppress(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	for _, address := range []string{"Bob@Example.net", "carol@example.net"} {
		if err := h.Suppress(t.Context(), svcOwner, address, "BOUNCE"); err != nil {
			t.Fatalf("Suppress(%q) = %v", address, err)
		}
	}
	if err := h.Suppress(t.Context(), svcOwner, "bob@example.net", "COMPLAINT"); err != nil {
		t.Fatalf("Suppress again = %v", err)
	}
	got, err := h.Suppressed(t.Context(), svcOwner, "BOB@example.net")
	want := &Suppressed{Address: "bob@example.net", Reason: "COMPLAINT", Updated: svcNoon}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Suppressed = %v (-want +got):\n%s", err, diff)
	}
	all, more, err := h.SuppressedList(t.Context(), svcOwner, []string{"BOUNCE", "COMPLAINT"}, time.Time{}, time.Time{}, "", 1)
	if err != nil || len(all) != 1 || !more {
		t.Errorf("SuppressedList = %v, %v, %v, want one and more", all, more, err)
	}
	if err := h.Unsuppress(t.Context(), svcOwner, "bob@EXAMPLE.net"); err != nil {
		t.Errorf("Unsuppress = %v", err)
	}
	const gone = "Email address bob@example.net does not exist on your suppression list."
	_, err = h.Suppressed(t.Context(), svcOwner, "bob@example.net")
	wantFault(t, "Suppressed", err, fault.NotFound, fault.SuppressedAddress, gone)
	err = h.Unsuppress(t.Context(), svcOwner, "bob@example.net")
	wantFault(t, "Unsuppress", err, fault.NotFound, fault.SuppressedAddress, gone)
	err = h.Suppress(t.Context(), svcOwner, "bob", "BOUNCE")
	wantFault(t, "Suppress", err, fault.Invalid, fault.SuppressedAddress, "Invalid email address <bob>.")
	err = h.Suppress(t.Context(), svcOwner, "bob@example.net", "bounce")
	wantFault(t, "Suppress", err, fault.Invalid, fault.SuppressedAddress, `A reason for suppression is BOUNCE or COMPLAINT, not "bounce".`)
	_, _, err = h.SuppressedList(t.Context(), svcOwner, []string{"x"}, time.Time{}, time.Time{}, "", 1)
	wantFault(t, "SuppressedList", err, fault.Invalid, fault.SuppressedAddress, `A reason for suppression is BOUNCE or COMPLAINT, not "x".`)
}
