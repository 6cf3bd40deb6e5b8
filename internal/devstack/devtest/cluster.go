package devtest

import (
	"context"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/devstack"
)

// RedisCluster is a Redis Cluster of one test's own: three masters with a
// replica each, to be killed.
type RedisCluster struct {
	Client redis.UniversalClient
	URL    string

	tb      testing.TB
	cluster *devstack.Cluster
}

// Cluster starts a cluster that lives as long as the test.
func Cluster(tb testing.TB) *RedisCluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	folder, err := devstack.OpenTemporary(ctx, devstack.Volatile)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := folder.StartCluster(ctx, 3)
	if err != nil {
		if err := folder.Remove(); err != nil {
			tb.Error(err)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("ending the cluster: %v", err)
		}
		if err := folder.Remove(); err != nil {
			tb.Errorf("removing the cluster: %v", err)
		}
	})
	return &RedisCluster{Client: connect(tb, c.URL), URL: c.URL, tb: tb, cluster: c}
}

// Master returns the address of the node that serves a key now.
func (c *RedisCluster) Master(key string) string {
	c.tb.Helper()
	n, err := c.Client.(*redis.ClusterClient).MasterForKey(c.tb.Context(), key)
	if err != nil {
		c.tb.Fatal(err)
	}
	return n.Options().Addr
}

// Replica returns the address of the node that follows a master.
func (c *RedisCluster) Replica(master string) string {
	c.tb.Helper()
	slots, err := c.Client.ClusterSlots(c.tb.Context()).Result()
	if err != nil {
		c.tb.Fatal(err)
	}
	for _, s := range slots {
		if len(s.Nodes) > 1 && s.Nodes[0].Addr == master {
			return s.Nodes[1].Addr
		}
	}
	c.tb.Fatalf("nobody follows %s", master)
	return ""
}

// Kill ends a node as a crash would.
func (c *RedisCluster) Kill(addr string) {
	c.tb.Helper()
	if err := c.cluster.Kill(addr); err != nil {
		c.tb.Fatal(err)
	}
}

// Signal sends a node a signal: SIGSTOP lets it hang, SIGCONT go on.
func (c *RedisCluster) Signal(addr string, sig syscall.Signal) {
	c.tb.Helper()
	if err := c.cluster.Signal(addr, sig); err != nil {
		c.tb.Fatal(err)
	}
}
