import { FAULTS_OF_PROCESSES } from './faults.js'
import { testShortRounds } from './short-rounds.js'

testShortRounds(FAULTS_OF_PROCESSES)
