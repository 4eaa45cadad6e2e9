package trigger

import "testing"

func TestCrontabBecomesSchedule(t *testing.T) {
	for crontab, want := range map[string]string{
		"*/5 * * * *":     "cron(0,5,10,15,20,25,30,35,40,45,50,55 * * * ? *)",
		"0 12 * * 1-5":    "cron(0 12 ? * MON,TUE,WED,THU,FRI *)",
		"15 3 1 jan,7 *":  "cron(15 3 1 1,7 ? *)",
		"0 0 * * 7":       "cron(0 0 ? * SUN *)",
		"0 0 * * sun,0":   "cron(0 0 ? * SUN *)",
		"30 6-8/2 ? * *":  "cron(30 6,8 * * ? *)",
		"@hourly":         "cron(0 * * * ? *)",
		"@weekly":         "cron(0 0 ? * SUN *)",
		"@every 5m":       "rate(5 minutes)",
		"@every 1h":       "rate(1 hour)",
		"@every 90m":      "rate(90 minutes)",
		"  @every  1m  ":  "rate(1 minute)",
		"0 0 */10 * *":    "cron(0 0 1,11,21,31 * ? *)",
		"0\t0\t1\t*\t*":   "cron(0 0 1 * ? *)",
		"5 4 * * SAT/1":   "cron(5 4 ? * SAT *)",
		"59 23 31 12 *":   "cron(59 23 31 12 ? *)",
		"0-10/5 0 * 2 *":  "cron(0,5,10 0 * 2 ? *)",
		"0 0 1,15 */6 *":  "cron(0 0 1,15 1,7 ? *)",
		"0 22 * * mon-3":  "cron(0 22 ? * MON,TUE,WED *)",
		"0 0 ? * ?":       "cron(0 0 * * ? *)",
		"1,2,3,2 0 * * *": "cron(1,2,3 0 * * ? *)",
	} {
		got, err := Cron(crontab)
		if err != nil || got.Source != want || checkExpression(got.Source) != nil {
			t.Errorf("%q: %q, %v, want %q", crontab, got.Source, err, want)
		}
	}
	for _, bad := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
		"a * * * *", "@every 90s", "@every soon", "@reboot", "0 0 1 * MON", "@every 0s", "@every -1m", "1- * * * *"} {
		if got, err := Cron(bad); err == nil {
			t.Errorf("%q became %q", bad, got.Source)
		}
	}
}

func TestExpressionsOfSchedules(t *testing.T) {
	for _, good := range []string{"rate(1 minute)", "rate(5 minutes)", "rate(1 day)", "cron(0 12 * * ? *)", "cron(0/15 8-18 ? * MON-FRI 2026)", "cron(0 0 L * ? *)", "cron(0 0 15W JAN,jul ? *)", "cron(0 0 ? * 6L *)", "cron(0 0 ? * 2#1 2026-2030)"} {
		if err := checkExpression(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "cron(* * * *)", "cron(0 0 * * * *)", "cron(0 0 ? * ? *)", "cron(60 0 * * ? *)", "cron(0 24 * * ? *)",
		"cron(0 0 32 * ? *)", "cron(0 0 * 13 ? *)", "cron(0 0 ? * 8 *)", "cron(0 0 ? * 0 *)", "cron(0 0 * * ? 1969)", "cron(? 0 * * ? *)", "cron(0  0 * * ? *)", "at(2026-01-01T00:00:00)"} {
		if checkExpression(bad) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzCrontab(f *testing.F) {
	f.Add("*/5 * * * *")
	f.Add("@every 1h30m")
	f.Add("0 0 1-7/2,9 jan-mar sun")
	f.Fuzz(func(t *testing.T, crontab string) {
		got, err := Cron(crontab)
		if err == nil && checkExpression(got.Source) != nil {
			t.Errorf("%q became %q", crontab, got.Source)
		}
	})
}
