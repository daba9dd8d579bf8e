package rtpaudio

import (
	"bytes"
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sizes of the suite AES_CM_128_HMAC_SHA1_80 (RFC 4568 section 6.2).
const (
	keySize  = 16
	saltSize = 14
	tagSize  = 10
)

// replayWindow is how many packets may be out of order before one is taken for a replay
// (RFC 3711 section 3.3.2: at least 64).
const replayWindow = 128

// crypt protects what is sent and unprotects what is heard. nil does nothing.
type crypt struct {
	keys          Keys
	local, remote *srtp.Context
	rtp           rtp.Header  // memory for the library
	rtcp          rtcp.Header // the same
}

// newCrypt makes a crypt of keys, or nil without.
func newCrypt(k *Keys) (*crypt, error) {
	if k == nil {
		return nil, nil
	}
	c := &crypt{keys: Keys{Local: bytes.Clone(k.Local), Remote: bytes.Clone(k.Remote)}}
	for _, side := range []struct {
		what    string
		key     []byte
		context **srtp.Context
	}{{"local", c.keys.Local, &c.local}, {"remote", c.keys.Remote, &c.remote}} {
		if len(side.key) != keySize+saltSize {
			return nil, fmt.Errorf("rtp: the %s SRTP key has %d bytes, not %d", side.what, len(side.key), keySize+saltSize)
		}
		var err error
		*side.context, err = srtp.CreateContext(side.key[:keySize], side.key[keySize:], srtp.ProtectionProfileAes128CmHmacSha1_80,
			srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
		if err != nil {
			return nil, fmt.Errorf("rtp: the %s SRTP key: %w", side.what, err)
		}
	}
	return c, nil
}

// inherit takes over from an earlier crypt what goes on under the same key: its indexes
// must not begin again (RFC 3711 section 9.1), and what was replayed stays known.
func (c *crypt) inherit(old *crypt) {
	if c == nil || old == nil {
		return
	}
	if bytes.Equal(c.keys.Local, old.keys.Local) {
		c.local = old.local
	}
	if bytes.Equal(c.keys.Remote, old.keys.Remote) {
		c.remote = old.remote
	}
}

// protect turns an RTP packet into SRTP, in place; b must have room for a tag.
func (c *crypt) protect(b []byte) ([]byte, error) {
	if c == nil {
		return b, nil
	}
	return c.local.EncryptRTP(b, b, &c.rtp)
}

// unprotect turns SRTP into RTP, in place.
func (c *crypt) unprotect(b []byte) ([]byte, error) {
	if c == nil {
		return b, nil
	}
	return c.remote.DecryptRTP(b, b, &c.rtp)
}

// protectReport turns RTCP into SRTCP, in place; b must have room for a tag and an index.
func (c *crypt) protectReport(b []byte) ([]byte, error) {
	if c == nil {
		return b, nil
	}
	return c.local.EncryptRTCP(b, b, &c.rtcp)
}

// unprotectReport turns SRTCP into RTCP, in place.
func (c *crypt) unprotectReport(b []byte) ([]byte, error) {
	if c == nil {
		return b, nil
	}
	return c.remote.DecryptRTCP(b, b, &c.rtcp)
}
