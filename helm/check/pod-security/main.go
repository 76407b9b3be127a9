// Command pod-security judges the pods of manifests on its standard input by Kubernetes' own evaluator of the Pod Security
// Standards, at level restricted. It prints one line for each pod that fails and exits 1 if any does.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	check(err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	documents := yaml.NewDocumentDecoder(io.NopCloser(os.Stdin))
	buffer := make([]byte, 4<<20)
	pods, failed := 0, 0
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		check(err)
		name, template := podOf(buffer[:n])
		if template == nil {
			continue
		}
		pods++
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
		if !result.Allowed {
			failed++
			fmt.Printf("%s: %s\n", name, result.ForbiddenDetail())
		}
	}
	fmt.Printf("%d pods, %d fail restricted\n", pods, failed)
	if failed > 0 || pods == 0 {
		os.Exit(1)
	}
}

// podOf gives the pod that an object is or makes, or nil.
func podOf(document []byte) (string, *corev1.PodTemplateSpec) {
	var head struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	decode(document, &head)
	name := head.Kind + "/" + head.Name
	switch head.Kind {
	case "Pod":
		var pod corev1.Pod
		decode(document, &pod)
		return name, &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	case "Deployment":
		var object appsv1.Deployment
		decode(document, &object)
		return name, &object.Spec.Template
	case "StatefulSet":
		var object appsv1.StatefulSet
		decode(document, &object)
		return name, &object.Spec.Template
	case "Job":
		var object batchv1.Job
		decode(document, &object)
		return name, &object.Spec.Template
	case "CronJob":
		var object batchv1.CronJob
		decode(document, &object)
		return name, &object.Spec.JobTemplate.Spec.Template
	}
	return name, nil
}

func decode(document []byte, into any) {
	check(yaml.NewYAMLOrJSONDecoder(bytes.NewReader(document), 4096).Decode(into))
}

func check(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "pod-security:", err)
		os.Exit(2)
	}
}
