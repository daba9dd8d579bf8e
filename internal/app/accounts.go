package app

import (
	"tidings/internal/account"
	"tidings/internal/config"
	"tidings/internal/quota"
)

// The key that works while no account is configured.
const (
	testKey     = "test"
	testAccount = "123456789012"
)

// accounts makes the directory of accounts. Without any configured there is the test key;
// the configuration has made sure that only this machine can reach it then.
func accounts(cfg *config.Config) *account.Directory {
	if len(cfg.Accounts) == 0 {
		a := &account.Account{ID: testAccount, Sandbox: cfg.Quotas == quota.Sandbox, Limits: quota.For(cfg.Quotas, nil)}
		return account.NewDirectory(&account.Key{ID: testKey, Secret: testKey, Account: a, AnyToken: true})
	}
	var keys []*account.Key
	for _, c := range cfg.Accounts {
		mode := cfg.Quotas
		if c.Sandbox && mode == quota.Production {
			mode = quota.Sandbox
		}
		a := &account.Account{
			ID:                 c.ID,
			Sandbox:            c.Sandbox || mode == quota.Sandbox,
			OriginationNumbers: c.OriginationNumbers,
			Limits:             quota.For(mode, c.Quotas),
		}
		for _, k := range c.Keys {
			keys = append(keys, &account.Key{
				ID: k.ID, Secret: string(k.Secret), Account: a,
				SessionToken: string(k.SessionToken), Expires: k.ExpiresAt, Allow: k.Allow,
			})
		}
	}
	return account.NewDirectory(keys...)
}

// countsDays reports whether there is a limit that is counted over a day, so that accepted
// messages must be kept for recounting them after a restart.
func countsDays(cfg *config.Config, dir *account.Directory) bool {
	if cfg.Voice.Guards.CallsPerDay > 0 {
		return true
	}
	ids := []string{testAccount}
	for _, a := range cfg.Accounts {
		ids = append(ids, a.ID)
	}
	for _, id := range ids {
		a, ok := dir.Account(id)
		if ok && (a.Limits.Of(quota.VoicePerDay) != quota.Unlimited || a.Limits.Of(quota.VoicePerRecipient) != quota.Unlimited) {
			return true
		}
	}
	return false
}
