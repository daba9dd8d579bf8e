package deploy_test

import (
	"encoding/json"
	"slices"
	"testing"
)

// dashboard is what these tests need of Grafana's JSON.
type dashboard struct {
	UID           string `json:"uid"`
	SchemaVersion int    `json:"schemaVersion"`
	Panels        []struct {
		ID         int    `json:"id"`
		Type       string `json:"type"`
		Title      string `json:"title"`
		Datasource *ref   `json:"datasource"`
		GridPos    struct{ H, W, X, Y int }
		Targets    []target `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []target `json:"list"`
	} `json:"annotations"`
}

type target struct {
	RefID      string `json:"refId"`
	Datasource *ref   `json:"datasource"`
	Expr       string `json:"expr"`
}

type ref struct{ Type, UID string }

type expression struct{ where, text string }

func board(tb testing.TB) *dashboard {
	tb.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(tb, "grafana/tidings.json")), &d); err != nil {
		tb.Fatalf("tidings.json: %v", err)
	}
	return &d
}

// expressions are all queries of the dashboard.
func (d *dashboard) expressions() []expression {
	var all []expression
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			all = append(all, expression{p.Title + " " + t.RefID, t.Expr})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, expression{"annotation", a.Expr})
		}
	}
	return all
}

func TestTheDashboardIsAboutMetricsThatExist(t *testing.T) {
	t.Parallel()
	all := metrics(t)
	shown := map[string]bool{}
	for _, e := range board(t).expressions() {
		for _, name := range checkExpression(t, all, e.where, e.text) {
			shown[name] = true
		}
	}
	for name := range all {
		if len(name) > len("tidings_") && name[:len("tidings_")] == "tidings_" && !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

func TestTheDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	d := board(t)
	if d.UID != "tidings" || d.SchemaVersion < 36 {
		t.Errorf("uid = %q, schemaVersion = %d", d.UID, d.SchemaVersion)
	}
	names := []string{}
	for _, v := range d.Templating.List {
		names = append(names, v.Name+" "+v.Type)
	}
	if want := []string{"datasource datasource", "job query", "instance query"}; !slices.Equal(names, want) {
		t.Errorf("variables = %q, want %q", names, want)
	}
	ids, taken := map[int]string{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if other, twice := ids[p.ID]; twice || p.Title == "" {
			t.Errorf("panel %q has the id %d of %q, or no title", p.Title, p.ID, other)
		}
		ids[p.ID] = p.Title
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, clash := taken[[2]int{x, y}]; clash || x >= 24 {
					t.Fatalf("panel %q does not fit at %d, %d; there is %q", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Datasource == nil || *p.Datasource != (ref{"prometheus", "${datasource}"}) {
			t.Errorf("panel %q has %d queries, and the data source %v", p.Title, len(p.Targets), p.Datasource)
		}
		for _, q := range p.Targets {
			if q.Expr == "" || q.Datasource == nil || *q.Datasource != *p.Datasource {
				t.Errorf("panel %q has the query %+v", p.Title, q)
			}
		}
	}
}
