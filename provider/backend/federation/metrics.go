package federation

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// reason is why an invocation is sent to a child.
type reason int

const (
	reasonHome reason = iota // it belongs there
	reasonWeight
	reasonBudget
	reasonThrottled
	reasonTooLarge
	reasonUnreachable
	reasonUnavailable
	reasonTimeout
	reasons int = iota
)

func (r reason) String() string {
	return [...]string{"home", "weight", "budget", "throttled", "too-large", "unreachable", "unavailable", "timeout"}[r]
}

type servedCounter struct{ prometheus.Counter }

// metrics are those of a federation.
type metrics struct {
	childUp     *prometheus.GaugeVec
	invocations *prometheus.CounterVec
	missing     *prometheus.CounterVec
	duplicates  prometheus.Gauge
	moves       *prometheus.CounterVec
	budget      *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		childUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faas_lambda_federation_up", Help: "Whether a part of the federation is sent anything: 1, or 0 while it is down.",
		}, []string{"part"}),
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_federation_invocations_total", Help: "Invocations sent to a part of the federation, by why it was that part.",
		}, []string{"part", "reason"}),
		missing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_federation_missing_total", Help: "Lists in which the functions of a part of the federation are missing.",
		}, []string{"part"}),
		duplicates: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "faas_lambda_federation_duplicates", Help: "Functions of the same name in more than one part of the federation.",
		}),
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_federation_moves_total", Help: "Functions that moved to another part of the federation, by how it ended: done, undone, pending.",
		}, []string{"result"}),
		budget: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faas_lambda_federation_budget_used_ratio", Help: "What a function has used of its budget of the month.",
		}, []string{"function_name", "namespace"}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.childUp, m.invocations, m.missing, m.duplicates, m.moves, m.budget} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) served(child string, why reason) *servedCounter {
	return &servedCounter{m.invocations.WithLabelValues(child, why.String())}
}

func (m *metrics) up(child string, up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.childUp.WithLabelValues(child).Set(value)
}

func (m *metrics) budgetUsed(name backend.Name, ratio float64) {
	m.budget.WithLabelValues(name.Function, name.Namespace).Set(ratio)
}
