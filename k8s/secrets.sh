#!/bin/sh
# Makes the secrets that k8s/ refers to, with random values, where there are none yet:
#
#   sh k8s/secrets.sh
#
# carbonray-redis     password           of the Redis that heads of clusters keep what they know in
# carbonray-postgres  PGHOST PGUSER ...  libpq's variables of the service's store; the PostgreSQL of components/postgres,
#                                        or yours: PGHOST=db.example.com PGUSER=me PGPASSWORD=... sh k8s/secrets.sh
# carbonray-key       key                the API key that a new store begins with, of all scopes
set -eu
namespace="${NAMESPACE:-carbonray}"
random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
there() { kubectl --namespace "$namespace" get secret "$1" > /dev/null 2>&1; }
# values come by the standard input: in a list of processes everybody could read them
make() {
    name="$1"
    if there "$name"; then echo "secret/$name: is there, and stays as it is"; cat > /dev/null; return; fi
    kubectl --namespace "$namespace" create secret generic "$name" --from-env-file=/dev/stdin
}

kubectl version > /dev/null 2>&1 || { echo "secrets.sh: kubectl reaches no cluster; look at kubectl config" >&2; exit 1; }
kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace"
make carbonray-redis << END
password=$(random 32)
END
make carbonray-postgres << END
PGHOST=${PGHOST:-carbonray-postgres}
PGPORT=${PGPORT:-5432}
PGUSER=${PGUSER:-carbonray}
PGPASSWORD=${PGPASSWORD:-$(random 32)}
PGDATABASE=${PGDATABASE:-carbonray}
PGSSLMODE=${PGSSLMODE:-prefer}
END
make carbonray-key << END
key=carbonray_$(random 6)_$(random 32)
END
