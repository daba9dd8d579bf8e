package cli

import (
	"errors"
	"fmt"

	"tidings/internal/app"
	"tidings/internal/config"
	"tidings/internal/quota"
)

type configCmds struct {
	Default configDefaultCmd `cmd:"" help:"Print the commented defaults."`
	Check   configCheckCmd   `cmd:"" help:"Check a configuration file and report every problem."`
}

type configDefaultCmd struct{}

func (configDefaultCmd) Run(w World) error {
	_, err := w.Stdout.Write(config.DefaultText())
	return err
}

type configCheckCmd struct {
	File string `arg:"" help:"The file to check."`
}

func (c configCheckCmd) Run(w World) error {
	cfg, err := config.Load(c.File, w.Getenv)
	if err != nil {
		return misuse{err}
	}
	if err := cfg.Validate(w.Getenv); err != nil {
		return misuse{fmt.Errorf("%s:\n%w", c.File, err)}
	}
	if err := errors.Join(app.CheckDestinations(cfg), app.CheckTrunks(cfg), app.CheckEmail(cfg)); err != nil {
		return misuse{fmt.Errorf("%s:\n%w", c.File, err)}
	}
	_, err = fmt.Fprintf(w.Stdout, "%s: good\n", c.File)
	return err
}

// settings are the flags that mirror keys of the configuration.
type settings struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration file (or TIDINGS_CONFIG)."`
	Listen string `placeholder:"ADDRESS" help:"Where the AWS APIs are served (listen)."`
	Admin  string `placeholder:"ADDRESS" help:"Where health, metrics and the event log are served (admin)."`
	Data   string `placeholder:"DIR" help:"Directory of everything that survives a restart (data)."`
	Quotas string `placeholder:"MODE" help:"Limits: production, sandbox or off (quotas)."`
	Trunk  string `placeholder:"ADDRESS" help:"One more SIP trunk, for all numbers that no other serves, such as the address of tidings phone (sip.trunks)."`
}

// file names the configuration file; "" = there is none.
func (s settings) file(w World) string {
	if s.Config != "" {
		return s.Config
	}
	return w.Getenv("TIDINGS_CONFIG")
}

// load reads the configuration with the flags laid over it.
func (s settings) load(w World) (*config.Config, error) {
	cfg, err := config.Load(s.file(w), w.Getenv)
	if err != nil {
		return nil, misuse{err}
	}
	for _, flag := range []struct {
		value string
		set   func(string)
	}{
		{s.Listen, func(v string) { cfg.Listen = v }},
		{s.Admin, func(v string) { cfg.Admin = v }},
		{s.Data, func(v string) { cfg.Data = v }},
		{s.Quotas, func(v string) { cfg.Quotas = quota.Mode(v) }},
		{s.Trunk, func(v string) {
			cfg.SIP.Trunks = append(cfg.SIP.Trunks, config.Trunk{Name: "trunk", Server: v, Prefixes: []string{"+"}})
		}},
	} {
		if flag.value != "" {
			flag.set(flag.value)
		}
	}
	if err := cfg.Validate(w.Getenv); err != nil {
		return nil, misuse{fmt.Errorf("the configuration has problems:\n%w", err)}
	}
	return cfg, nil
}
