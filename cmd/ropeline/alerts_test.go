package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const alerts = "../../deploy/prometheus/"

// An alarm on a metric that is not told is silent for ever.
func TestAlarmsGoByMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	seen := everything(t)
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml"} {
		text, err := os.ReadFile(alerts + file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`ropeline_[a-z_]+`).FindAllString(string(text), -1)
		if len(names) < 20 {
			t.Errorf("%s: only %d names of metrics", file, len(names))
		}
		for _, name := range names {
			for _, suffix := range []string{"_bucket", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if _, ok := seen[name]; !ok {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// The cases of alerts_test.yaml, by Prometheus itself: what alarms when nothing
// moves, and that a sale that goes well is silent.
func TestAlarms(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", alerts+"alerts_test.yaml").CombinedOutput(); err != nil {
		t.Errorf("promtool, of the package prometheus: %v\n%s", err, out)
	}
}
